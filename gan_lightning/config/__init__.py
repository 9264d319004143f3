"""From a configuration to objects: resolvers, checks, the allowlist and instantiation."""
