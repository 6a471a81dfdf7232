import {
  Button,
  Center,
  Divider,
  Group,
  Image,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { Fault } from '../model/fault.ts';
import { type FaultCode, faultKinds } from '../model/fault-kinds.ts';
import { PROVIDER_REFUSED, PROVIDER_START } from '../protocol/api/provider.ts';
import { FaultNote } from './fault.tsx';
import icon from './icon.svg';
import { api } from './server.ts';
import { words } from './words.ts';

/** Read before the router takes the query away: how a sign-in at the provider ended. Only codes that there are. */
const refusal = readRefusal(new URLSearchParams(window.location.search).get(PROVIDER_REFUSED));

function readRefusal(code: string | null): Fault | null {
  if (code === null || !Object.hasOwn(faultKinds, code)) return null;
  return new Fault(code as FaultCode, faultKinds[code as FaultCode].meaning);
}

export function SignIn() {
  const queries = useQueryClient();
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const name = useRef<HTMLInputElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const login = useMutation({
    mutationFn: () => api.login({ body: { user, password } }),
    onSuccess: () => queries.resetQueries(),
    onError: () => field.current?.select(),
  });
  const ways = useQuery({ queryKey: ['sign-in'], queryFn: ({ signal }) => api.signInWays({}, signal) });
  const provider = ways.data?.provider ?? null;
  useEffect(() => {
    document.title = `${words.signIn.title} · ${words.product}`;
    name.current?.focus();
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    login.mutate();
  };
  return (
    <Center mih="100vh" p="md">
      <Paper withBorder shadow="sm" p="xl" w={400} maw="100%" component="main">
        <form onSubmit={submit}>
          <Stack>
            <Group gap="sm">
              <Image src={icon} w={32} h={32} alt="" />
              <Title order={1} size="h3">
                {words.product}
              </Title>
            </Group>
            <TextInput
              ref={name}
              label={words.signIn.user}
              value={user}
              onChange={(event) => setUser(event.currentTarget.value)}
              autoComplete="username"
              withAsterisk={false}
              required
            />
            <PasswordInput
              ref={field}
              label={words.signIn.password}
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
              autoComplete="current-password"
              visibilityToggleButtonProps={{ 'aria-label': words.signIn.show, tabIndex: 0 }}
              withAsterisk={false}
              required
            />
            {login.isError ? <FaultNote error={login.error} /> : refusal !== null && <FaultNote error={refusal} />}
            <Button type="submit" loading={login.isPending}>
              {words.signIn.action}
            </Button>
            {provider !== null && (
              <>
                <Divider label={words.signIn.or} />
                <Button component="a" href={PROVIDER_START} variant="default">
                  {provider.label}
                </Button>
              </>
            )}
            <Text size="xs" c="dimmed">
              {words.signIn.first}
            </Text>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}
