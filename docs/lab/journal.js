// What has happened, in the order of time. All times are milliseconds by the clock of this page.

export const client = 0;
export const server = 1;
export const receiver = 2;

const most = 400; // entries that are kept: the newest

/**
 * Journal holds entries by id. An entry is one of
 *
 *   exchange  a request and, from `end` on, its answer
 *   message   one way, on a connection that is open
 *   update    what the server has noted of the work
 *   wait      an attempt that is due at `due`
 */
export class Journal {
  constructor(changed) {
    Object.assign(this, { changed, entries: new Map(), dropped: 0, count: 0 });
  }

  put(id, fields) {
    const known = this.entries.get(id);
    if (known) Object.assign(known, fields);
    else this.entries.set(id, { id, order: this.count++, ...fields });
    if (this.entries.size > most) {
      this.entries.delete(this.entries.keys().next().value);
      this.dropped++;
    }
    this.changed();
  }

  remove(id) {
    if (this.entries.delete(id)) this.changed();
  }

  sorted() {
    return [...this.entries.values()].sort((a, b) => a.at - b.at || a.order - b.order);
  }
}
