using DaprPlatform.Contracts;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.Users.Domain;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Users.Data;

/// <summary>The first administrator, from <c>SEED_ADMIN_EMAIL</c> and <c>SEED_ADMIN_PASSWORD</c>. An existing account is left as it is.</summary>
internal static class SeedAdmin
{
    public static async Task ApplyAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var configuration = services.GetRequiredService<IConfiguration>();
        if (configuration["SEED_ADMIN_EMAIL"] is not { Length: > 0 } email || configuration["SEED_ADMIN_PASSWORD"] is not { Length: > 0 } password)
            return;
        var db = services.GetRequiredService<UsersDb>();
        var normalized = email.ToLowerInvariant();
        if (await db.Users.AnyAsync(u => u.NormalizedEmail == normalized, cancellationToken))
            return;
        db.Users.Add(new User
        {
            Id = UserId.New().Value,
            Email = email,
            NormalizedEmail = normalized,
            PasswordHash = await services.GetRequiredService<PasswordHasher>().HashAsync(password, cancellationToken),
            FirstName = "Platform",
            LastName = "Administrator",
            Roles = [Roles.Customer, Roles.Operator, Roles.Admin],
            CreatedAt = services.GetRequiredService<TimeProvider>().GetUtcNow(),
        });
        await db.SaveChangesAsync(cancellationToken);
    }
}
