import { Group, Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';
import { words } from './words.ts';

/** The title of a page, also in the browser's tab. */
export function Heading({ text, children }: { text: string; children?: ReactNode }) {
  useEffect(() => {
    document.title = `${text} · ${words.product}`;
  }, [text]);
  return (
    <Group justify="space-between" align="center" gap="sm">
      <Title order={1} size="h3" style={{ overflowWrap: 'anywhere' }}>
        {text}
      </Title>
      {children}
    </Group>
  );
}
