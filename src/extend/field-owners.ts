import { failedPrecondition } from '../base/errors.js';

/** Who has set which field of a specification; what nobody has, the request or the image has. */
export type FieldOwners = ReadonlyMap<string, string>;

/** The claims of one owner beside those of others. */
export class Claims {
  readonly owners: Map<string, string>;

  constructor(
    before: FieldOwners,
    private readonly owner: string,
  ) {
    this.owners = new Map(before);
  }

  /** @throws FAILED_PRECONDITION when somebody else has set the same. */
  claim(field: string): void {
    const other = this.owners.get(field);
    if (other !== undefined && other !== this.owner)
      throw failedPrecondition(
        `two want to set it: ${field} of the container is set by ${other} and by ${this.owner}; take it out of one of them`,
      );
    this.owners.set(field, this.owner);
  }

  /** What adds up belongs to all who have added to it. */
  join(field: string): void {
    const others = this.owners.get(field);
    this.owners.set(field, others === undefined || others === this.owner ? this.owner : `${others}, ${this.owner}`);
  }

  /** What is taken away on purpose, whoever has set it, anybody may set anew. */
  release(field: string): void {
    this.owners.delete(field);
  }
}

/** "a, b" of all that have set something; empty when nobody has. */
export const adjustedBy = (owners: FieldOwners): string => [...new Set(owners.values())].join(', ');
