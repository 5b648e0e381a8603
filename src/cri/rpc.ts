/** An RPC as the service layer writes it: a request in, a reply or a thrown error out. The proto's types hold at each definition. */
export type Rpc = (request: never) => Promise<object>;
