/**
 * Whether clients see an object: not before it is complete. One whose removal has failed is shown: whoever does not see it would not
 * ask again.
 */
export const isVisible = ({ stage }: { readonly stage: string }): boolean => stage !== 'creating';
