import { createTheme } from '@mantine/core';

/** Shades are chosen so that text on them has a contrast of at least 4.5:1 in light and dark. */
export const theme = createTheme({
  primaryColor: 'blue',
  primaryShade: { light: 8, dark: 8 },
  autoContrast: true,
  cursorType: 'pointer',
  defaultRadius: 'sm',
  respectReducedMotion: true,
  components: {
    Badge: { defaultProps: { tt: 'none', variant: 'light', fw: 500 } },
    Table: { defaultProps: { verticalSpacing: 6, horizontalSpacing: 'sm' } },
    Progress: { defaultProps: { transitionDuration: 300 } },
  },
});
