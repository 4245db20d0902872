// The QR code of an invitation: read back here by the book (ISO/IEC 18004), without the library that made it.
import { expect, test } from "vitest";
import { drawnBy, readQr } from "../e2e/qr-reader.ts";
import { modulesOf, pathOf } from "./qr.ts";

const KEY = "9m8ftdv6cz1y3nr0qpxk27wbha";

test.each([`http://127.0.0.1:8080/#room=zj9wx7hb&key=${KEY}`, `https://play.example.org/flotilla/tic-tac-toe/#room=zj9wx7hb&key=${KEY}`, "https://example.org/#room=Zoë’s+harbour", "http://192.168.178.23:8080/?a=b#room=r"])("the code of %s says all of it, its secret too", (link) => {
  const modules = modulesOf(link);
  expect(readQr(modules)).toBe(link);
  expect(drawnBy(pathOf(modules), modules.length)).toEqual(modules);
});
