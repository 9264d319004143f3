"""From a configuration to the objects it names: resolvers, checks, the allowlist, instantiation."""
