// The one word that rules and dice share.

/** A seat at the table, counted from 0. The acting player of an action is named by its seat. */
export type Seat = number;
