import { describeContract } from "../testing/contract.ts";
import { byteStoreContract, type ByteStoreHarness } from "./byte-store.contract.ts";
import { MemoryByteStore, MemoryDisk } from "./memory-byte-store.ts";

const harness: ByteStoreHarness = {
  place: async (bytesMax) => {
    const disk = new MemoryDisk(bytesMax);
    return { open: async () => new MemoryByteStore(disk) };
  },
};

describeContract("MemoryByteStore", byteStoreContract, harness);
