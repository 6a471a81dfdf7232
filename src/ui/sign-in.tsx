import { Button, Center, Group, Image, Paper, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { FaultNote } from './fault.tsx';
import icon from './icon.svg';
import { api } from './server.ts';
import { words } from './words.ts';

export function SignIn() {
  const queries = useQueryClient();
  const [user, setUser] = useState('admin');
  const [password, setPassword] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const login = useMutation({
    mutationFn: () => api.login({ body: { user, password } }),
    onSuccess: () => queries.resetQueries(),
    onError: () => field.current?.select(),
  });
  useEffect(() => {
    document.title = `${words.signIn.title} · ${words.product}`;
    field.current?.focus();
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
            {login.isError && <FaultNote error={login.error} />}
            <Button type="submit" loading={login.isPending}>
              {words.signIn.action}
            </Button>
            <Text size="xs" c="dimmed">
              {words.signIn.first}
            </Text>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}
