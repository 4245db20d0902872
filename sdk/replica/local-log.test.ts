import { describeContract } from "../testing/contract.ts";
import { LocalLog } from "./local-log.ts";
import { orderedLogContract } from "./ordered-log.contract.ts";

describeContract("LocalLog", orderedLogContract, {
  group: async () => {
    const log = new LocalLog();
    return {
      logs: [log],
      until: (promise) => promise,
      quiet: async () => {
        for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
      },
      close: () => log.close(),
    };
  },
});
