import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";

/**
 * Whether an address is one of the public internet and of another machine: not private, loopback, link-local, shared (CGNAT),
 * multicast, reserved or for documentation, no IPv6 address that stands for an IPv4 one (mapped, NAT64, 6to4, Teredo), and none
 * of this machine's own.
 * @param address IPv4 or IPv6; anything else is not public
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== "unicast") return false;
  // All of IPv6 that is given out so far; the library takes for public what it knows nothing of.
  if (parsed.kind() === "ipv6" && !parsed.match(ipaddr.parseCIDR("2000::/3"))) return false;
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return !own.some(
    (other) => ipaddr.isValid(other.address) && ipaddr.parse(other.address).toString() === parsed.toString(),
  );
}
