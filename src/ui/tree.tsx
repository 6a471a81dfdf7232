import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { Glyph, type GlyphName } from './glyph.tsx';

export interface TreeNode {
  id: string;
  label: string;
  glyph: GlyphName;
  children: TreeNode[];
  /** Can be opened, but not chosen. */
  disabled?: boolean;
  /** Something small at the right end. */
  mark?: ReactNode;
}

interface Row {
  node: TreeNode;
  level: number;
  parent: string | null;
}

/**
 * A tree as one flat list of rows (WAI-ARIA tree view): arrows move, open and close, Enter and Space choose, Home and
 * End go to the ends, letters typed in one breath to the next row that begins with them. Rows keep their place while
 * the data change.
 */
export function Tree({
  label,
  nodes,
  chosen,
  onChoose,
}: {
  label: string;
  nodes: TreeNode[];
  chosen: string | null;
  onChoose: (id: string) => void;
}) {
  const [opened, setOpened] = useState<Record<string, boolean>>({});
  const [focused, setFocused] = useState<string | null>(null);
  const elements = useRef(new Map<string, HTMLElement>());
  const typed = useRef({ text: '', at: 0 });
  const trail = chosen === null ? '' : trailTo(nodes, chosen).join('\n');
  useEffect(() => {
    if (trail !== '')
      setOpened((before) => ({ ...before, ...Object.fromEntries(trail.split('\n').map((id) => [id, true])) }));
  }, [trail]);
  const isOpen = (row: Row) => opened[row.node.id] ?? (row.level === 1 && row.node.children.length > 0);
  const rows = flatten(nodes, isOpen);
  const stop = rows.find((row) => row.node.id === focused) ?? rows.find((row) => row.node.id === chosen) ?? rows[0];
  const go = (row: Row | undefined) => {
    if (row === undefined) return;
    setFocused(row.node.id);
    elements.current.get(row.node.id)?.focus();
  };
  const open = (row: Row, value: boolean) => setOpened((before) => ({ ...before, [row.node.id]: value }));
  const choose = (row: Row) => {
    if (row.node.disabled === true) return open(row, !isOpen(row));
    onChoose(row.node.id);
    if (row.node.children.length > 0) open(row, true);
  };
  const onKey = (event: KeyboardEvent, row: Row, at: number) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    typed.current = typeOn(typed.current, event.key, event.timeStamp);
    const { text } = typed.current;
    const action = text === '' ? keyAction(event.key, row, at, rows, isOpen(row)) : begunBy(text, at, rows);
    if (action === undefined) return;
    event.preventDefault();
    if (action === 'choose') choose(row);
    else if (action === 'open' || action === 'close') open(row, action === 'open');
    else go(action);
  };
  return (
    <div role="tree" aria-label={label}>
      {rows.map((row, at) => (
        <div
          key={row.node.id}
          ref={(element) => {
            if (element === null) elements.current.delete(row.node.id);
            else elements.current.set(row.node.id, element);
          }}
          role="treeitem"
          className="tree-row"
          aria-level={row.level}
          aria-selected={row.node.id === chosen}
          aria-disabled={row.node.disabled === true || undefined}
          aria-expanded={row.node.children.length === 0 ? undefined : isOpen(row)}
          tabIndex={row === stop ? 0 : -1}
          style={{ paddingInlineStart: 4 + (row.level - 1) * 16 }}
          onKeyDown={(event) => onKey(event, row, at)}
          onFocus={() => setFocused(row.node.id)}
          onClick={() => choose(row)}
        >
          <TreeTwist row={row} open={isOpen(row)} onToggle={() => open(row, !isOpen(row))} />
          <Glyph name={row.node.glyph} />
          <span className="tree-label" title={row.node.label}>
            {row.node.label}
          </span>
          {row.node.mark}
        </div>
      ))}
    </div>
  );
}

function TreeTwist({ row, open, onToggle }: { row: Row; open: boolean; onToggle: () => void }) {
  if (row.node.children.length === 0) return <span className="tree-twist" />;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: for the mouse; the row has the arrow keys
    <span
      className="tree-twist"
      onClick={(event) => {
        event.stopPropagation();
        onToggle();
      }}
    >
      <Glyph name={open ? 'opened' : 'open'} size={14} />
    </span>
  );
}

type Action = 'choose' | 'open' | 'close' | Row | undefined;

function keyAction(key: string, row: Row, at: number, rows: Row[], open: boolean): Action {
  const inner = row.node.children.length > 0;
  switch (key) {
    case 'ArrowDown':
      return rows[at + 1];
    case 'ArrowUp':
      return rows[at - 1];
    case 'Home':
      return rows[0];
    case 'End':
      return rows.at(-1);
    case 'ArrowRight':
      if (inner) return open ? rows[at + 1] : 'open';
      return undefined;
    case 'ArrowLeft':
      if (inner && open) return 'close';
      return rows.find((one) => one.node.id === row.parent);
    case 'Enter':
    case ' ':
      return 'choose';
    default:
      return undefined;
  }
}

/** Letters that come closer than this belong together. */
const BREATH_MILLISECONDS = 700;

/** A space is a letter only within a word that was begun; any other key ends the word. */
function typeOn(typed: { text: string; at: number }, key: string, now: number): { text: string; at: number } {
  const before = now - typed.at > BREATH_MILLISECONDS ? '' : typed.text;
  const letter = key.length === 1 && (key !== ' ' || before !== '');
  return { text: letter ? before + key.toLowerCase() : '', at: now };
}

/** One letter goes on to the next row, more of them stay where they are as long as it still fits. */
function begunBy(text: string, at: number, rows: Row[]): Row | undefined {
  const from = text.length === 1 ? at + 1 : at;
  return [...rows.slice(from), ...rows.slice(0, from)].find((one) => one.node.label.toLowerCase().startsWith(text));
}

function flatten(nodes: TreeNode[], isOpen: (row: Row) => boolean, level = 1, parent: string | null = null): Row[] {
  return nodes.flatMap((node) => {
    const row = { node, level, parent };
    return [row, ...(isOpen(row) ? flatten(node.children, isOpen, level + 1, node.id) : [])];
  });
}

/** Ids of the nodes above one. */
function trailTo(nodes: TreeNode[], id: string): string[] {
  for (const node of nodes) {
    if (node.children.some((child) => child.id === id)) return [node.id];
    const below = trailTo(node.children, id);
    if (below.length > 0) return [node.id, ...below];
  }
  return [];
}
