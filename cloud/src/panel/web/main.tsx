import { render } from 'preact';
import { z } from 'zod';
import 'uplot/dist/uPlot.min.css';
import './app.css';
import { App } from './app.tsx';
import { createPanel, PanelContext } from './panel.ts';

// zod would probe for `new Function`, which the content security policy forbids and reports.
z.config({ jitless: true });

const root = document.getElementById('app');
if (root === null) throw new TypeError('The page has no element with the id app.');
render(
  <PanelContext.Provider value={createPanel()}>
    <App />
  </PanelContext.Provider>,
  root,
);
