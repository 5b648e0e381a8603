import { busyboxImage, debianImage } from './images.js';

// Fills the cache of layers before tests run side by side.
await busyboxImage();
await debianImage();
