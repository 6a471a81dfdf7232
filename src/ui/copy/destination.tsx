import { Input, Paper, ScrollArea, Text } from '@mantine/core';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { ObjectView } from '../../protocol/api/objects.ts';
import { placeId, placeOf, placeTree } from '../clouds/place-tree.ts';
import { Tree, type TreeNode } from '../tree.tsx';
import { words } from '../words.ts';

interface Props {
  clouds: CloudView[];
  containers: ObjectView[];
  value: { cloud: string; object: string } | null;
  /** `<cloud>/<path>` of the value. */
  path: string;
  onChange: (place: { cloud: string; object: string }) => void;
}

/** The places of all clouds that can take a machine or a template; what leads nowhere is left out. */
export function DestinationField({ clouds, containers, value, path, onChange }: Props) {
  const nodes = placeTree(clouds, containers, (object) => ({ disabled: object === null || !takes(object) }));
  return (
    <Input.Wrapper label={words.copy.container} description={words.copy.containerHelp} labelElement="div" required>
      <Paper withBorder p={6} mt={6}>
        <ScrollArea.Autosize mah={260} type="auto">
          <Tree
            label={words.copy.container}
            nodes={nodes.map(prune).filter((node) => node !== null)}
            chosen={value === null ? null : placeId(value.cloud, value.object)}
            onChoose={(id) => {
              const { cloud, object } = placeOf(id);
              if (object !== undefined) onChange({ cloud, object });
            }}
          />
        </ScrollArea.Autosize>
      </Paper>
      <Text size="sm" mt={6} role="status">
        {words.copy.chosen}:{' '}
        {path === '' ? (
          <Text span c="dimmed">
            {words.copy.notChosen}
          </Text>
        ) : (
          <b>{path}</b>
        )}
      </Text>
    </Input.Wrapper>
  );
}

function takes(object: ObjectView): boolean {
  return object.abilities.includes('hold-machines') || object.abilities.includes('hold-templates');
}

function prune(node: TreeNode): TreeNode | null {
  const children = node.children.map(prune).filter((child) => child !== null);
  return node.disabled === true && children.length === 0 ? null : { ...node, children };
}
