import * as z from 'zod';

export const absolutePath = z.string().regex(/^\//, 'must be an absolute path');
