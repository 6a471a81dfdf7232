/** A part of a statement with its values, for statements that are put together: what is a value never becomes text. */
export class Sql {
  readonly texts: readonly string[];
  /** One fewer than texts: each stands between two of them. */
  readonly values: readonly unknown[];

  constructor(texts: readonly string[], values: readonly unknown[]) {
    this.texts = texts;
    this.values = values;
  }

  /** As the database takes it. */
  numbered(): { text: string; values: unknown[] } {
    return { text: this.texts.reduce((all, text, index) => `${all}$${index}${text}`), values: [...this.values] };
  }
}

/** Parts in the template are put in, everything else is a value. */
export function sql(strings: TemplateStringsArray, ...parts: unknown[]): Sql {
  const texts = [strings[0] ?? ''];
  const values: unknown[] = [];
  const append = (text: string) => texts.push((texts.pop() ?? '') + text);
  for (const [index, part] of parts.entries()) {
    if (part instanceof Sql) {
      append(part.texts[0] ?? '');
      texts.push(...part.texts.slice(1));
      values.push(...part.values);
      append(strings[index + 1] ?? '');
    } else {
      values.push(part);
      texts.push(strings[index + 1] ?? '');
    }
  }
  return new Sql(texts, values);
}

export function allOf(parts: readonly Sql[]): Sql {
  return parts.length === 0 ? sql`true` : parts.reduce((one, other) => sql`${one} AND ${other}`);
}
