import {
  ActionIcon,
  Alert,
  Anchor,
  AppShell,
  Button,
  Center,
  Container,
  Group,
  Loader,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Outlet } from '@tanstack/react-router';
import { Fault } from '../model/fault.ts';
import { Glyph } from './glyph.tsx';
import { ButtonLink } from './link.tsx';
import { useLive } from './live.ts';
import { Loaded } from './loaded.tsx';
import { api } from './server.ts';
import { SignIn } from './sign-in.tsx';
import { words } from './words.ts';

/** The frame of every page; shows the sign-in form while there is no session. */
export function Shell() {
  const me = useQuery({
    queryKey: ['me'],
    queryFn: ({ signal }) => api.me({}, signal),
    // Nothing has been read yet: wait for the server as long as it takes.
    refetchInterval: (query) => (query.state.status === 'error' && query.state.data === undefined ? 3_000 : false),
  });
  const signedOut = me.error instanceof Fault && me.error.code === 'auth.required';
  const heard = useLive(me.data !== undefined && !signedOut);
  if (signedOut) return <SignIn />;
  if (me.data === undefined) {
    return (
      <Center mih="100vh" p="md">
        {me.isPending ? (
          <Loader aria-label={words.loading} />
        ) : (
          <Container size="xs">
            <Loaded query={me}>{() => null}</Loaded>
          </Container>
        )}
      </Center>
    );
  }
  return (
    <AppShell header={{ height: 52 }} padding="md">
      <Anchor href="#main" className="skip">
        {words.navigation.skip}
      </Anchor>
      <AppShell.Header px="md">
        <Header user={me.data.user} />
      </AppShell.Header>
      <AppShell.Main id="main" tabIndex={-1}>
        {!heard && (
          <Alert color="orange" mb="md" role="status">
            {words.live.away}
          </Alert>
        )}
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

function Header({ user }: { user: string }) {
  const queries = useQueryClient();
  const signOut = async () => {
    await api.logout({}).catch(() => {});
    queries.clear();
    window.location.assign('/');
  };
  return (
    <Group h="100%" justify="space-between" wrap="nowrap" gap="xs">
      <Group gap="lg" wrap="nowrap">
        <Text fw={700} size="lg" visibleFrom="xs">
          {words.product}
        </Text>
        <Group component="nav" aria-label={words.navigation.label} gap={4} wrap="nowrap">
          <Tab to="/clouds" label={words.navigation.clouds} />
          <Tab to="/copy" label={words.navigation.copy} />
          <Tab to="/jobs" label={words.navigation.jobs} />
        </Group>
      </Group>
      <Group gap="xs" wrap="nowrap">
        <Text size="sm" c="dimmed" visibleFrom="sm">
          {user}
        </Text>
        <SchemeSwitch />
        <Button variant="subtle" size="compact-sm" onClick={() => void signOut()}>
          {words.navigation.signOut}
        </Button>
      </Group>
    </Group>
  );
}

function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  return (
    <ActionIcon
      variant="subtle"
      size="md"
      aria-label={dark ? words.navigation.light : words.navigation.dark}
      onClick={() => setColorScheme(dark ? 'light' : 'dark')}
    >
      <Glyph name={dark ? 'sun' : 'moon'} />
    </ActionIcon>
  );
}

function Tab({ to, label }: { to: '/clouds' | '/copy' | '/jobs'; label: string }) {
  return (
    <ButtonLink
      to={to}
      size="compact-md"
      variant="subtle"
      activeProps={{ variant: 'light' }}
      activeOptions={{ includeSearch: false }}
    >
      {label}
    </ButtonLink>
  );
}
