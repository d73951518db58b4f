import './without-eval.ts';
import 'uplot/dist/uPlot.min.css';
import './app.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { createPanel, PanelContext } from './panel.ts';

const root = document.getElementById('app');
if (root === null) throw new TypeError('The page has no element with the id app.');
render(
  <PanelContext.Provider value={createPanel()}>
    <App />
  </PanelContext.Provider>,
  root,
);
