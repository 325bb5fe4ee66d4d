import { createRoot } from 'react-dom/client'
import { begin } from './api/http'
import { App } from './App'
import './styles.css'

void begin()
createRoot(document.getElementById('root')!).render(<App />)
