// What is known of samples: their records, and everybody's marks and tags. One copy, by key.

const BLOCK = 64;
const NOTHING = { marks: [], tags: [] };

export class Store {
  constructor(api, keyOf, onChange) {
    this.api = api;
    this.keyOf = keyOf;
    this.onChange = onChange;
    this.records = new Map();   // number → record
    this.said = new Map();      // key → [seq, { marks, tags }]
    this.asked = new Set();
    this.seq = 0;
    this.counts = { keep: 0, reject: 0, flip: 0 };
    this.tags = {};             // tag → number of samples
  }

  saidOf(key) { return this.said.get(key)?.[1] ?? NOTHING; }

  marksOf(key) { return this.saidOf(key).marks; }

  tagsOf(key) { return this.saidOf(key).tags; }

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
      records.forEach(({ marks, tags, ...record }, i) => {
        this.records.set(numbers[i], record);
        const known = this.said.get(record.key);
        if (!known || known[0] <= seq) this.said.set(record.key, [seq, { marks, tags }]);
      });
      this.onChange(records.map((record) => record.key), false);
    } catch {
      for (const number of numbers) this.asked.delete(number);
    }
  }

  // News come by two ways, as answers and as events, and perhaps not in order.
  take(news) {
    const changed = [];
    for (const [key, said] of Object.entries(news.changes)) {
      const known = this.said.get(key);
      if (known && known[0] > news.seq) continue;
      this.said.set(key, [news.seq, said]);
      changed.push(key);
    }
    if (news.seq >= this.seq) {
      this.seq = news.seq;
      this.counts = news.counts;
      this.tags = news.tags;
    }
    this.onChange(changed, true);
  }
}
