import { Badge, Button, Group, Menu, Modal, Stack, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import type { ObjectView } from '../../protocol/api/objects.ts';
import { FaultNote } from '../fault.tsx';
import { Glyph } from '../glyph.tsx';
import { api } from '../server.ts';
import { words } from '../words.ts';

type Action = keyof typeof words.clouds.powerActions;

/** What makes sense in a state; the cloud has the last word. */
const ACTIONS: Record<NonNullable<ObjectView['machine']>['power'], Action[]> = {
  on: ['shutdown', 'suspend', 'off', 'reset'],
  off: ['on'],
  suspended: ['resume', 'off'],
  mixed: ['on', 'shutdown', 'suspend', 'resume', 'off', 'reset'],
  unknown: ['on', 'shutdown', 'suspend', 'resume', 'off', 'reset'],
};

const COLOR = { on: 'green', off: 'gray', suspended: 'yellow', mixed: 'cyan', unknown: 'gray' } as const;

/** The power state of one machine, and what may be done about it; what interrupts something is asked about first. */
export function PowerMenu({ object }: { object: ObjectView }) {
  const [asked, setAsked] = useState<Action | null>(null);
  const power = useMutation({
    mutationFn: (action: Action) => api.power({ cloud: object.cloud, object: object.id, body: { action } }),
    onSuccess: () => setAsked(null),
  });
  const choose = (action: Action) => {
    power.reset();
    if (action === 'on' || action === 'resume') power.mutate(action);
    else setAsked(action);
  };
  const { machine } = object;
  if (machine === undefined) return null;
  if (!object.abilities.includes('power')) {
    return <Badge color={COLOR[machine.power]}>{words.power[machine.power]}</Badge>;
  }
  const title = (action: Action) => `${words.clouds.powerActions[action]}: ${object.name}`;
  const tried = asked ?? power.variables;
  return (
    <>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Button
            size="compact-xs"
            variant="light"
            radius="xl"
            color={COLOR[machine.power]}
            rightSection={<Glyph name="down" size={12} />}
            loading={power.isPending}
            aria-label={words.clouds.powerOf(object.name, words.power[machine.power])}
          >
            {words.power[machine.power]}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {ACTIONS[machine.power].map((action) => (
            <Menu.Item key={action} onClick={() => choose(action)}>
              {words.clouds.powerActions[action]}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <Modal
        opened={tried !== undefined && (asked !== null || power.isError)}
        onClose={() => {
          setAsked(null);
          power.reset();
        }}
        title={tried === undefined ? '' : title(tried)}
        closeButtonProps={{ 'aria-label': words.fault.close }}
        centered
      >
        <Stack>
          {asked !== null && asked in words.clouds.confirm && (
            <Text size="sm">{words.clouds.confirm[asked as keyof typeof words.clouds.confirm]}</Text>
          )}
          {power.isError && <FaultNote error={power.error} />}
          {asked !== null && (
            <Group justify="end">
              <Button variant="default" onClick={() => setAsked(null)} data-autofocus>
                {words.clouds.confirm.cancel}
              </Button>
              <Button color="red" onClick={() => power.mutate(asked)} loading={power.isPending}>
                {words.clouds.powerActions[asked]}
              </Button>
            </Group>
          )}
        </Stack>
      </Modal>
    </>
  );
}
