/** A program that connects a network namespace with the outside, without root, and what resolves names in there. */
export interface NetworkHelper {
  readonly name: 'pasta' | 'slirp4netns';
  /** "PID" stands for a process in the namespace; on descriptor 3 the program says that the namespace is connected. */
  readonly command: string[];
  readonly resolver: string;
}

/** Where it has no other place than the interface (RFC 3927); slirp4netns has one of its own. */
const PASTA_RESOLVER = '169.254.1.1';
const SLIRP_RESOLVER = '10.0.2.3';

/**
 * pasta, the faster one, where there are both. Neither lets pods reach what listens on the host's loopback. `port`: of the streaming server,
 * which clients outside of the namespace reach on the host's loopback by pasta only; 0: they do not.
 */
export const networkHelper = (
  find: (program: NetworkHelper['name']) => string | undefined,
  port: number,
): NetworkHelper | undefined => {
  const pasta = find('pasta');
  if (pasta) {
    const forwarded = port === 0 ? 'none' : `127.0.0.1/${port}`;
    const closed = ['--udp-ports', 'none', '--tcp-ns', 'none', '--udp-ns', 'none'];
    // Its pid on the pipe is all it says when it is ready.
    const says = ['--quiet', '--pid', '/proc/self/fd/3'];
    const command = [pasta, '--config-net', '--no-map-gw', '--dns-forward', PASTA_RESOLVER, ...says];
    return {
      name: 'pasta',
      command: [...command, '--tcp-ports', forwarded, ...closed, 'PID'],
      resolver: PASTA_RESOLVER,
    };
  }
  const slirp = find('slirp4netns');
  if (!slirp) return undefined;
  const command = [slirp, '--configure', '--mtu=65520', '--disable-host-loopback', '--ready-fd=3', 'PID', 'tap0'];
  return { name: 'slirp4netns', command, resolver: SLIRP_RESOLVER };
};

/** The host's resolver configuration with the one resolver that can be reached. */
export const resolverText = (host: string, resolver: string): string => {
  const rest = host.split('\n').filter((line) => line.trim() !== '' && !/^\s*(nameserver\b|[#;])/.test(line));
  return [`nameserver ${resolver}`, ...rest].map((line) => `${line}\n`).join('');
};
