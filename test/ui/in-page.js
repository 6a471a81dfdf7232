/* An expression that is evaluated in the page: gives what is wrong with its structure and its colours. */
(() => {
  function structure() {
    const found = [];
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at)))
      found.push(`the id ${id} is there twice`);
    if (document.documentElement.lang === '') found.push('the page does not say its language');
    if (!/.+ · Cloudspan$/.test(document.title)) found.push(`the title is "${document.title}"`);
    for (const one of ['h1', 'main'])
      if (document.querySelectorAll(one).length !== 1) found.push(`there is not exactly one ${one}`);
    for (const image of document.querySelectorAll('img:not([alt])')) found.push(`no alternative: ${image.outerHTML}`);
    for (const element of document.querySelectorAll('[tabindex]'))
      if (element.tabIndex > 0) found.push(`the tab order is bent by ${element.outerHTML.slice(0, 80)}`);
    return found;
  }

  /** Red, green, blue from 0 to 255, and alpha. */
  function parse(text) {
    const [r = 0, g = 0, b = 0, alpha = 1] = (text.match(/-?[\d.]+(?:e-?\d+)?/g) ?? []).map(Number);
    return text.startsWith('color(srgb') ? [r * 255, g * 255, b * 255, alpha] : [r, g, b, alpha];
  }

  function over(top, below) {
    const mix = (at) => top[at] * top[3] + below[at] * (1 - top[3]);
    return [mix(0), mix(1), mix(2), 1];
  }

  function ground(element) {
    if (element === null) return [255, 255, 255, 1];
    const own = parse(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(element.parentElement));
  }

  /** Relative luminance, WCAG 2.2. */
  function light([r, g, b]) {
    const part = (value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  }

  /** Texts whose contrast is below 4.5:1, or 3:1 when they are large (WCAG 2.2, 1.4.3). */
  function faintTexts() {
    const found = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent.trim();
      const element = walker.currentNode.parentElement;
      if (text === '' || !element.checkVisibility({ opacityProperty: true })) continue;
      if (element.closest('[disabled], [aria-disabled=true], [data-disabled], .skip, script, style') !== null) continue;
      const style = getComputedStyle(element);
      const behind = ground(element);
      const [a, b] = [light(over(parse(style.color), behind)), light(behind)];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const size = Number.parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (contrast < (large ? 3 : 4.5)) found.add(`"${text.slice(0, 40)}" has a contrast of ${contrast.toFixed(2)}`);
    }
    return [...found];
  }

  return [...structure(), ...faintTexts()];
})();
