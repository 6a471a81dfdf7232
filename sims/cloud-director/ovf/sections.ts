import { vcloudNamespace } from '../xml/namespaces.ts';
import { attributeOf, child, childrenOf, type XmlElement } from '../xml/tree.ts';

/** Texts of the EULA sections below `parent`; `strings` resolves `ovf:msgid`. */
export function readEulas(parent: XmlElement, strings: Map<string, string>): string[] {
  return childrenOf(parent, 'EulaSection').map((section) => {
    const license = child(section, 'License');
    return strings.get(attributeOf(license, 'msgid') ?? '') ?? license?.text ?? '';
  });
}

/** The `vcloud:*` sections right below `parent`, by local name. */
export function vendorSections(parent: XmlElement): Record<string, XmlElement> {
  const found = parent.children.filter((inner) => inner.uri === vcloudNamespace);
  return Object.fromEntries(found.map((inner) => [inner.local, inner]));
}
