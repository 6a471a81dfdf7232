import { Alert, Text } from '@mantine/core';
import { Fault } from '../model/fault.ts';
import { words } from './words.ts';

/** A fault in full: what happened, what to do, and its code. */
export function FaultNote({ error, onClose }: { error: unknown; onClose?: () => void }) {
  const fault = Fault.from(error, words.product);
  return (
    <Alert
      color="red"
      title={fault.message}
      role="alert"
      w="100%"
      {...(onClose === undefined ? {} : { withCloseButton: true, onClose, closeButtonLabel: words.fault.close })}
    >
      {fault.remedy !== '' && (
        <Text size="sm">
          {words.fault.remedy}: {fault.remedy}
        </Text>
      )}
      {Object.entries(fault.details ?? {}).map(([name, value]) => (
        <Text size="sm" key={name}>
          {name}: {Array.isArray(value) ? value.join(', ') : String(value)}
        </Text>
      ))}
      <Text size="xs" opacity={0.8}>
        {fault.code}
      </Text>
    </Alert>
  );
}
