/** What waits, with the virtual time at which its turn comes. */
interface Waiting<Item> {
  readonly item: Item;
  readonly start: number;
  readonly order: number;
}

interface Client<Item> {
  readonly waiting: Waiting<Item>[];
  /** Virtual time at which all that it has asked for so far would be done. */
  finish: number;
}

/**
 * Work of several clients that waits for one thing. Whoever asks for much waits behind those who ask for little: each client gets an equal
 * share of the cost that is handed out while it has work waiting, and none gains by having been idle. Start-time fair queueing,
 * P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996.
 */
export class FairQueue<Item> {
  readonly #clients = new Map<string, Client<Item>>();
  /** Virtual time: start of what was handed out last. */
  #now = 0;
  #order = 0;
  #length = 0;

  /** Items that wait. */
  get length(): number {
    return this.#length;
  }

  /** @param cost of the item, above 0, in any unit that all of them share */
  push(client: string, cost: number, item: Item): void {
    let entry = this.#clients.get(client);
    if (!entry) {
      entry = { waiting: [], finish: 0 };
      this.#clients.set(client, entry);
    }
    const start = Math.max(this.#now, entry.finish);
    entry.finish = start + cost;
    entry.waiting.push({ item, start, order: this.#order++ });
    this.#length++;
  }

  /** Takes out the item whose turn it is; undefined when none waits. */
  shift(): Item | undefined {
    let [next, first]: [Client<Item> | undefined, Waiting<Item> | undefined] = [undefined, undefined];
    for (const [name, client] of this.#clients) {
      const head = client.waiting[0];
      if (!head) {
        // Its share is used up no more than that of a client who was never here.
        if (client.finish <= this.#now) this.#clients.delete(name);
        continue;
      }
      if (!first || head.start < first.start || (head.start === first.start && head.order < first.order)) {
        [next, first] = [client, head];
      }
    }
    if (!next || !first) return undefined;
    next.waiting.shift();
    this.#length--;
    this.#now = first.start;
    return first.item;
  }

  /** A client's work turned out to cost more than was said: it waits longer for what it asks for next. */
  charge(client: string, cost: number): void {
    const entry = this.#clients.get(client);
    if (entry) entry.finish = Math.max(this.#now, entry.finish) + cost;
  }

  /** Takes an item out before its turn. @returns whether it waited */
  remove(item: Item): boolean {
    for (const { waiting } of this.#clients.values()) {
      const at = waiting.findIndex((entry) => entry.item === item);
      if (at < 0) continue;
      waiting.splice(at, 1);
      this.#length--;
      return true;
    }
    return false;
  }
}
