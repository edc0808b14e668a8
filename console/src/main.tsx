import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Router } from 'wouter';
import { queryClient } from './api/queries.ts';
import { App } from './app.tsx';
import { Boundary } from './parts/boundary.tsx';
import { SessionProvider } from './session/session.tsx';
import { applyTheme } from './session/theme.ts';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import './styles/print.css';

applyTheme();
const root = document.getElementById('root');
if (!root) throw new Error('the page has no root');
createRoot(root).render(
  <StrictMode>
    <Boundary>
      <QueryClientProvider client={queryClient}>
        <Router base="/console">
          <SessionProvider>
            <App />
          </SessionProvider>
        </Router>
      </QueryClientProvider>
    </Boundary>
  </StrictMode>,
);
