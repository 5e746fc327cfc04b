// What is known of samples: their records, and everybody's marks. One copy, by key.

const BLOCK = 64;

export class Store {
  constructor(api, keyOf, onChange) {
    this.api = api;
    this.keyOf = keyOf;
    this.onChange = onChange;
    this.records = new Map();   // number → record
    this.marks = new Map();     // key → [seq, marks]
    this.asked = new Set();
    this.seq = 0;
    this.counts = { keep: 0, reject: 0, flip: 0 };
  }

  marksOf(key) { return this.marks.get(key)?.[1] ?? []; }

  opinion(key, reviewer) { return this.marksOf(key).find((mark) => mark.reviewer === reviewer); }

  verdict(key) { return this.marksOf(key).at(-1); }

  // Records of some samples, at most BLOCK in a request; nothing is asked for twice.
  want(numbers) {
    const missing = numbers.filter((number) => !this.asked.has(number));
    for (let i = 0; i < missing.length; i += BLOCK) this.#ask(missing.slice(i, i + BLOCK));
  }

  async #ask(numbers) {
    for (const number of numbers) this.asked.add(number);
    const seq = this.seq;
    try {
      const records = await this.api.rows(numbers);
      records.forEach((record, i) => {
        this.records.set(numbers[i], record);
        const known = this.marks.get(record.key);
        if (!known || known[0] <= seq) this.marks.set(record.key, [seq, record.marks]);
      });
      this.onChange(records.map((record) => record.key));
    } catch {
      for (const number of numbers) this.asked.delete(number);
    }
  }

  // News come by two ways, as answers and as events, and perhaps not in order.
  take(news) {
    const changed = [];
    for (const [key, marks] of Object.entries(news.changes)) {
      const known = this.marks.get(key);
      if (known && known[0] > news.seq) continue;
      this.marks.set(key, [news.seq, marks]);
      changed.push(key);
    }
    if (news.seq >= this.seq) {
      this.seq = news.seq;
      this.counts = news.counts;
    }
    this.onChange(changed);
  }
}
