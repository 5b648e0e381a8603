import { busyboxImage, compile, debianImage, programSource } from './images.js';

// Fills the cache of layers and programs before tests run side by side.
await busyboxImage();
await debianImage();
await compile(programSource('status'));
