/** What nodes are called: `R0` or `C0`. Replicas come first, then clients. */
export function nameOf({ replicaCount }: { readonly replicaCount: number }, node: number): string {
  return node < replicaCount ? `R${node}` : `C${node - replicaCount}`;
}
