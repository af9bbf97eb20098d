/**
 * Sets an environment variable for native libraries of this process too. In Bun, a write to process.env does not reach the
 * C environment, which is the one that the Vulkan loader and its drivers read.
 */
export async function setNativeEnvironment(name: string, value: string): Promise<void> {
  process.env[name] = value;
  if (!process.versions.bun) return;
  const { dlopen, FFIType } = await import("bun:ffi");
  const { cstring, i32 } = FFIType;
  const libc = dlopen("libc.so.6", { setenv: { args: [cstring, cstring, i32], returns: i32 } });
  libc.symbols.setenv(Buffer.from(`${name}\0`), Buffer.from(`${value}\0`), 1);
  libc.close();
}
