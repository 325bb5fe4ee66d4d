namespace DaprPlatform.Users.Data;

internal sealed class User
{
    public required Guid Id { get; init; }

    public required string Email { get; init; }

    /// <summary>Lower case; unique.</summary>
    public required string NormalizedEmail { get; init; }

    public required string PasswordHash { get; set; }

    public required string FirstName { get; set; }

    public required string LastName { get; set; }

    public string Phone { get; set; } = "";

    public string Address { get; set; } = "";

    public required string[] Roles { get; set; }

    /// <summary>Of the profile; its ETag.</summary>
    public int Version { get; set; } = 1;

    /// <summary>Wrong passwords since the last right one.</summary>
    public int FailedLogins { get; set; }

    public DateTimeOffset? LockedUntil { get; set; }

    /// <summary>Refresh tokens issued before are not accepted.</summary>
    public DateTimeOffset? SessionsRevokedAt { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }
}
