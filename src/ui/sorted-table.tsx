import { Button, Stack, Table, UnstyledButton } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { Glyph } from './glyph.tsx';
import { words } from './words.ts';

export interface Column<Row> {
  key: string;
  label: string;
  /** What is sorted by; absent: the column cannot be sorted. */
  value?: (row: Row) => string | number | undefined;
  cell: (row: Row) => ReactNode;
  width?: number;
  numeric?: boolean;
}

interface Sort {
  key: string;
  down: boolean;
}

const STEP = 200;
const order = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** Rows that keep their identity and their order while their content changes. */
export function SortedTable<Row>({
  label,
  columns,
  rows,
  rowKey,
  sort: first,
  minWidth = 640,
}: {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string;
  sort: Sort;
  minWidth?: number;
}) {
  const [sort, setSort] = useState(first);
  const [limit, setLimit] = useState(STEP);
  const sorted = sortRows(rows, columns.find((column) => column.key === sort.key)?.value, sort.down);
  return (
    <Stack gap="xs">
      <Table.ScrollContainer minWidth={minWidth}>
        <Table highlightOnHover aria-label={label}>
          <Table.Thead>
            <Table.Tr>
              {columns.map((column) => (
                <Header key={column.key} column={column} sort={sort} onSort={setSort} />
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {sorted.slice(0, limit).map((row) => (
              <Table.Tr key={rowKey(row)}>
                {columns.map((column) => (
                  <Table.Td
                    key={column.key}
                    ta={column.numeric === true ? 'right' : undefined}
                    className={column.numeric === true ? 'numbers' : undefined}
                  >
                    {column.cell(row)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {sorted.length > limit && (
        <Button variant="default" size="compact-sm" w="fit-content" onClick={() => setLimit(limit + STEP)}>
          {words.table.more(sorted.length - limit)}
        </Button>
      )}
    </Stack>
  );
}

interface HeaderProps<Row> {
  column: Column<Row>;
  sort: Sort;
  onSort: (sort: Sort) => void;
}

function Header<Row>({ column, sort, onSort }: HeaderProps<Row>) {
  const mine = sort.key === column.key;
  return (
    <Table.Th
      w={column.width}
      ta={column.numeric === true ? 'right' : undefined}
      aria-sort={mine ? (sort.down ? 'descending' : 'ascending') : undefined}
    >
      {column.value === undefined ? (
        column.label
      ) : (
        <UnstyledButton
          className="sort"
          fz="sm"
          onClick={() => onSort({ key: column.key, down: mine ? !sort.down : false })}
        >
          {column.label}
          {mine && <Glyph name={sort.down ? 'down' : 'up'} size={12} />}
        </UnstyledButton>
      )}
    </Table.Th>
  );
}

/** Rows without a value come last in either direction; equal rows keep their order. */
export function sortRows<Row>(rows: Row[], value: Column<Row>['value'], down: boolean): Row[] {
  if (value === undefined) return rows;
  return rows
    .map((row) => ({ row, by: value(row) }))
    .sort((a, b) => {
      if (a.by === undefined || b.by === undefined) return Number(a.by === undefined) - Number(b.by === undefined);
      const difference =
        typeof a.by === 'number' && typeof b.by === 'number' ? a.by - b.by : order.compare(String(a.by), String(b.by));
      return down ? -difference : difference;
    })
    .map(({ row }) => row);
}
