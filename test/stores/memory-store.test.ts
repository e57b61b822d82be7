import { createMemoryStore } from '../../src/stores/memory-store.js';
import { describeStore } from './store-contract.js';

describeStore('the memory store', async (options) => createMemoryStore(options));
