namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What somebody may do; each may what those before it may.</summary>
internal enum ConsoleRole
{
    /// <summary>Looks.</summary>
    Viewer,

    /// <summary>Acts on apps, dead letters, workflows and settings.</summary>
    Operator,

    /// <summary>Changes and deletes state, purges, administers.</summary>
    Admin,
}

/// <summary>Who asks.</summary>
internal sealed record ConsoleUser(string Name, ConsoleRole Role);

/// <summary>The least role an endpoint asks for.</summary>
internal sealed record RequiredRole(ConsoleRole Role);

/// <summary>An endpoint that answers before a sign-in: the session itself.</summary>
internal sealed record OpenToAll;
