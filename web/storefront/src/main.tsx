import { createRoot } from 'react-dom/client'
import { session } from './api/http'
import { App } from './App'
import './styles.css'

void session.start()
createRoot(document.getElementById('root')!).render(<App />)
