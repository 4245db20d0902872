// What a broken rule looks like. The id is the rule's name in the list of properties (I1…, C1…, L1…), so that a report says what was promised.

/** Thrown inside a run at the event that broke a rule. */
export class Violation extends Error {
  /** The rule: I1 election safety, I6 committed means durable on a quorum, L1 a core elects a leader, … */
  readonly rule: string;

  constructor(rule: string, detail: string) {
    super(`${rule}: ${detail}`);
    this.name = "Violation";
    this.rule = rule;
  }
}

/** States a rule; throws a {@link Violation} when `holds` is false. The detail is only made then. */
export function demand(rule: string, holds: boolean, detail: () => string): void {
  if (!holds) throw new Violation(rule, detail());
}
