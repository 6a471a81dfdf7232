import { Anchor, type AnchorProps, Button, type ButtonProps } from '@mantine/core';
import { createLink } from '@tanstack/react-router';
import type { ComponentPropsWithRef } from 'react';

type Native<Own> = Own & Omit<ComponentPropsWithRef<'a'>, keyof Own>;

/** Links of the router that look like the rest: as text, and as a button. */
export const TextLink = createLink((props: Native<Omit<AnchorProps, 'href'>>) => <Anchor {...props} />);
export const ButtonLink = createLink((props: Native<Omit<ButtonProps, 'href'>>) => <Button component="a" {...props} />);
