using System.Globalization;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Users;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Users.Data;
using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Users.Domain;

/// <summary>Sign-up, sign-in, sessions and profiles.</summary>
internal sealed class Accounts(
    UsersDb db,
    PasswordHasher passwords,
    RefreshTokens refreshTokens,
    SigningKeys keys,
    CurrentUser currentUser,
    AccountOptions options,
    UserMetrics metrics,
    TimeProvider time) : IAccounts
{
    public async Task<Session> RegisterAsync(RegisterRequest request, CancellationToken cancellationToken)
    {
        var email = request.Email.Trim();
        new Validator()
            .Require(IsEmail(email), "email", "must be an e-mail address")
            .Require(request.Password.Length is >= 8 and <= 128, "password", "must have 8 to 128 characters")
            .Require(request.Password.Any(char.IsLetter) && request.Password.Any(char.IsDigit), "password", "must have a letter and a digit")
            .Text(request.FirstName, "firstName", 2, 50)
            .Text(request.LastName, "lastName", 2, 50)
            .ThrowIfInvalid();
        var normalized = email.ToLowerInvariant();
        // Before the hash, which is the costly part; the index decides between two at once.
        if (await db.Users.AnyAsync(u => u.NormalizedEmail == normalized, cancellationToken))
            throw EmailTaken();
        var now = time.GetUtcNow();
        var user = new User
        {
            Id = UserId.New().Value,
            Email = email,
            NormalizedEmail = normalized,
            PasswordHash = await passwords.HashAsync(request.Password, cancellationToken),
            FirstName = request.FirstName.Trim(),
            LastName = request.LastName.Trim(),
            Roles = [Roles.Customer],
            CreatedAt = now,
        };
        db.Users.Add(user);
        db.Publish(new UserRegistered(new UserId(user.Id).ToString(), user.FirstName, now), now);
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException e) when (Faults.IsUniqueViolation(e, UsersDb.EmailIndex))
        {
            throw EmailTaken();
        }
        metrics.Happened("created");
        return await SessionAsync(user, await refreshTokens.StartFamilyAsync(user.Id, cancellationToken), cancellationToken);
    }

    public async Task<Session> LoginAsync(LoginRequest request, CancellationToken cancellationToken)
    {
        var normalized = request.Email.Trim().ToLowerInvariant();
        var user = await db.Users.AsNoTracking().FirstOrDefaultAsync(u => u.NormalizedEmail == normalized, cancellationToken);
        var now = time.GetUtcNow();
        if (user?.LockedUntil is { } until && until > now)
        {
            metrics.Happened("login_failed", "locked");
            throw new ProblemException(429, "account-locked", "Too many attempts", "Too many wrong passwords; wait before you try again.")
            {
                RetryAfterSeconds = Math.Max(1, (int)(until - now).TotalSeconds),
            };
        }
        var right = request.Password.Length <= 128 && await passwords.VerifyAsync(request.Password, user?.PasswordHash, cancellationToken);
        if (user is null || !right)
        {
            if (user is not null)
                await CountFailureAsync(user.Id, now, cancellationToken);
            metrics.Happened("login_failed", "invalid_credentials");
            throw Refusals.Unauthorized("invalid-credentials", "The e-mail address or the password is wrong.");
        }
        if (user.FailedLogins > 0)
            await db.Users.Where(u => u.Id == user.Id).ExecuteUpdateAsync(
                set => set.SetProperty(u => u.FailedLogins, 0).SetProperty(u => u.LockedUntil, (DateTimeOffset?)null), cancellationToken);
        metrics.Happened("login_success");
        return await SessionAsync(user, await refreshTokens.StartFamilyAsync(user.Id, cancellationToken), cancellationToken);
    }

    public async Task<Session> RefreshAsync(RefreshRequest request, CancellationToken cancellationToken)
    {
        if (await refreshTokens.RotateAsync(request.RefreshToken, request.Lenient, cancellationToken) is not var (family, token))
            throw InvalidRefreshToken();
        var user = await db.Users.AsNoTracking().FirstOrDefaultAsync(u => u.Id == family.UserId, cancellationToken);
        if (user is null || user.SessionsRevokedAt >= family.CreatedAt)
            throw InvalidRefreshToken();
        return await SessionAsync(user, token, cancellationToken);
    }

    public async Task<LogoutResponse> LogoutAsync(LogoutRequest request, CancellationToken cancellationToken)
    {
        // A token that is no good any more is what the caller wanted.
        if (await refreshTokens.EndAsync(request.RefreshToken, cancellationToken) is { } family)
        {
            if (request.Everywhere)
            {
                var now = time.GetUtcNow();
                await db.Users.Where(u => u.Id == family.UserId).ExecuteUpdateAsync(set => set.SetProperty(u => u.SessionsRevokedAt, now), cancellationToken);
            }
            metrics.Happened("logout");
        }
        return new LogoutResponse();
    }

    public async Task<UserProfile> GetProfileAsync(GetProfileRequest request, CancellationToken cancellationToken)
    {
        var id = currentUser.Id.Value;
        return await db.Users.AsNoTracking().FirstOrDefaultAsync(u => u.Id == id, cancellationToken) is { } user ? ToMessage(user) : throw NoSuchUser();
    }

    public async Task<UserProfile> UpdateProfileAsync(UpdateProfileRequest request, CancellationToken cancellationToken)
    {
        new Validator()
            .Text(request.FirstName, "firstName", 2, 50)
            .Text(request.LastName, "lastName", 2, 50)
            .Text(request.Phone, "phone", 0, 32)
            .Text(request.Address, "address", 0, 200)
            .ThrowIfInvalid();
        var id = currentUser.Id.Value;
        var user = await db.Users.FirstOrDefaultAsync(u => u.Id == id, cancellationToken) ?? throw NoSuchUser();
        if (request.IfMatch.Length == 0)
            throw Refusals.PreconditionRequired();
        if (request.IfMatch != "*" && request.IfMatch != EtagOf(user))
            throw Refusals.EtagMismatch();
        user.FirstName = request.FirstName.Trim();
        user.LastName = request.LastName.Trim();
        user.Phone = request.Phone.Trim();
        user.Address = request.Address.Trim();
        user.Version++;
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateConcurrencyException)
        {
            throw Refusals.EtagMismatch();
        }
        metrics.Happened("updated");
        return ToMessage(user);
    }

    public async Task<KeySet> GetKeysAsync(GetKeysRequest request, CancellationToken cancellationToken) =>
        new() { JwksJson = Jwk.WriteSet(await keys.PublicKeysAsync(cancellationToken)) };

    private Task CountFailureAsync(Guid userId, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var lockUntil = now + AccountOptions.LockDuration;
        // One statement, so that guesses made at once are all counted.
        return db.Database.ExecuteSqlAsync(
            $"""
             UPDATE users SET
                 locked_until = CASE WHEN failed_logins + 1 >= {AccountOptions.MaxFailedLogins} THEN {lockUntil} ELSE locked_until END,
                 failed_logins = CASE WHEN failed_logins + 1 >= {AccountOptions.MaxFailedLogins} THEN 0 ELSE failed_logins + 1 END
             WHERE id = {userId}
             """,
            cancellationToken);
    }

    private async Task<Session> SessionAsync(User user, string refreshToken, CancellationToken cancellationToken)
    {
        var signer = await keys.GetAsync(cancellationToken);
        return new Session
        {
            User = ToMessage(user),
            AccessToken = signer.Issue(new UserId(user.Id).ToString(), user.Roles, options.AccessTokenLifetime),
            RefreshToken = refreshToken,
            ExpiresInSeconds = (int)options.AccessTokenLifetime.TotalSeconds,
        };
    }

    private static UserProfile ToMessage(User user)
    {
        var profile = new UserProfile
        {
            Id = new UserId(user.Id).ToString(),
            Email = user.Email,
            FirstName = user.FirstName,
            LastName = user.LastName,
            Phone = user.Phone,
            Address = user.Address,
            CreatedAt = Timestamp.FromDateTimeOffset(user.CreatedAt),
            Etag = EtagOf(user),
        };
        profile.Roles.AddRange(user.Roles);
        return profile;
    }

    private static string EtagOf(User user) => string.Create(CultureInfo.InvariantCulture, $"\"{user.Version}\"");

    private static bool IsEmail(string text)
    {
        var at = text.IndexOf('@');
        return text.Length is >= 3 and <= 254 && at > 0 && at < text.Length - 1 && text.LastIndexOf('@') == at
            && !text.Any(c => char.IsWhiteSpace(c) || char.IsControl(c));
    }

    private static ProblemException EmailTaken() => Refusals.Conflict("email-taken", "There is an account with this e-mail address.");

    private static ProblemException InvalidRefreshToken() => Refusals.Unauthorized("invalid-refresh-token", "The refresh token is not valid.");

    private static ProblemException NoSuchUser() => Refusals.NotFound("user-not-found", "There is no such user.");
}
