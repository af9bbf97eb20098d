import { RankError } from "./ranks.ts";

/** A function of the library; those that wait have a second form, which waits on a thread of its own. */
type Native = ((...words: unknown[]) => number) & {
  async(...words: unknown[]): void;
};

const functions = {
  MPI_Init_thread: "int MPI_Init_thread(void*, void*, int, void*)",
  MPI_Finalize: "int MPI_Finalize()",
  MPI_Abort: "int MPI_Abort(HANDLE, int)",
  MPI_Comm_rank: "int MPI_Comm_rank(HANDLE, void*)",
  MPI_Comm_size: "int MPI_Comm_size(HANDLE, void*)",
  MPI_Comm_set_errhandler: "int MPI_Comm_set_errhandler(HANDLE, HANDLE)",
  MPI_Error_string: "int MPI_Error_string(int, void*, void*)",
  MPI_Iallgatherv: "int MPI_Iallgatherv(void*, int, HANDLE, void*, void*, void*, HANDLE, HANDLE, void*)",
  MPI_Ialltoallv: "int MPI_Ialltoallv(void*, void*, void*, HANDLE, void*, void*, void*, HANDLE, HANDLE, void*)",
  MPI_Test: "int MPI_Test(void*, void*, void*)",
  MPI_Wait: "int MPI_Wait(void*, void*)",
} as const;

/** An opened MPI library. Handles of Open MPI are pointers to what the library holds, those of MPICH and its kin numbers. */
export interface MpiLibrary {
  /** As it calls itself. */
  readonly version: string;
  readonly call: Readonly<Record<keyof typeof functions, Native>>;
  readonly world: bigint | number;
  readonly byte: bigint | number;
  readonly errorsReturn: bigint | number;
}

/** Where libraries are looked for, the one that the user names first. */
function names(): string[] {
  const own = process.env["ACUTANCE_MPI_LIBRARY"];
  if (own) return [own];
  if (process.platform === "darwin")
    return ["libmpi.dylib", "/opt/homebrew/lib/libmpi.dylib", "/usr/local/lib/libmpi.dylib"];
  const openMpi = ["libmpi.so.40", "libmpi.so", "libmpi.so.80"];
  const mpich = ["libmpich.so.12", "libmpi.so.12", "libmpich.so"];
  // Of two that are installed, the one that started this process.
  return process.env["OMPI_COMM_WORLD_SIZE"] ? [...openMpi, ...mpich] : [...mpich, ...openMpi];
}

const installAdvice =
  "install one: apt-get install openmpi-bin libopenmpi-dev (Debian, Ubuntu), dnf install openmpi (Fedora), brew install open-mpi (macOS); or name its file by ACUTANCE_MPI_LIBRARY";

/**
 * Opens the MPI library of this computer.
 * @throws RankError when there is none, or the package koffi, which calls it, cannot be loaded
 */
export async function openMpiLibrary(): Promise<MpiLibrary> {
  let koffi: typeof import("koffi").default;
  try {
    koffi = (await import("koffi")).default;
  } catch (cause) {
    throw new RankError(
      `the package koffi, which calls MPI, cannot be loaded (${(cause as Error).message})`,
      "install it: npm install koffi (or bun add koffi)",
      { cause },
    );
  }
  const failures: string[] = [];
  for (const name of names()) {
    let library: ReturnType<typeof koffi.load>;
    try {
      // Open MPI's parts look for its symbols among those of the process.
      library = koffi.load(name, { global: true });
    } catch (error) {
      failures.push(`${name}: ${(error as Error).message.split("\n")[0]}`);
      continue;
    }
    return described(library, name);
  }
  throw new RankError(`no MPI library can be loaded (${failures.join("; ")})`, installAdvice);
}

function described(
  library: { func(definition: string): unknown; symbol(name: string, type: string): unknown },
  name: string,
): MpiLibrary {
  const [text, length] = [new ArrayBuffer(8192), new Int32Array(new ArrayBuffer(64))];
  const versionOf = library.func("int MPI_Get_library_version(void*, void*)") as Native;
  versionOf(text, length);
  const version = Buffer.from(text, 0, length[0]!)
    .toString()
    .replace(/[\s\0]+/g, " ")
    .trim();
  const isOpenMpi = version.includes("Open MPI");
  if (!isOpenMpi && !/MPICH|Intel\(R\) MPI|MVAPICH|Cray/i.test(version))
    throw new RankError(`${name} is an MPI library that is not known: ${version.slice(0, 80)}`, installAdvice);
  const handle = isOpenMpi ? "void*" : "int";
  const call = Object.fromEntries(
    Object.entries(functions).map(([each, definition]) => [
      each,
      library.func(definition.replaceAll("HANDLE", handle)),
    ]),
  ) as unknown as MpiLibrary["call"];
  const pointer = (symbol: string) => library.symbol(symbol, "void") as bigint;
  return {
    version,
    call,
    ...(isOpenMpi
      ? {
          world: pointer("ompi_mpi_comm_world"),
          byte: pointer("ompi_mpi_byte"),
          errorsReturn: pointer("ompi_mpi_errors_return"),
        }
      : { world: 0x44000000, byte: 0x4c00010d, errorsReturn: 0x54000001 }),
  };
}
