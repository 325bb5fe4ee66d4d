using System.Security.Cryptography;
using System.Text;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>Who is signed in, by the hash of a random token. In memory only: who restarts the platform signs in again.</summary>
internal sealed class Sessions(Accounts accounts, TimeProvider time)
{
    public const string Cookie = "console";
    private const int TokenBytes = 32;
    private const int MostSessions = 1000;
    private const int FailuresUntilLocked = 5;
    private const int MostFailures = 1000;
    private static readonly TimeSpan Idle = TimeSpan.FromHours(12);
    private static readonly TimeSpan Locked = TimeSpan.FromMinutes(1);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (string Name, DateTimeOffset Used)> _sessions = [];
    private readonly Dictionary<string, (int Count, DateTimeOffset At)> _failures = [];

    // The slow hash must not take both processors from the apps.
    private readonly SemaphoreSlim _hashing = new(1, 1);

    /// <summary>The token of a new session. Null: not this name with this password, or too many failures (five, then one attempt a minute).</summary>
    /// <param name="name">The account.</param>
    /// <param name="password">Its password.</param>
    /// <param name="from">The address that asks.</param>
    /// <param name="cancel">Gives up waiting for one's turn.</param>
    public async Task<(string? Token, TimeSpan? RetryAfter)> SignInAsync(string name, string password, string from, CancellationToken cancel)
    {
        string[] keys = [$"name {name}", $"address {from}"];
        if (keys.Select(LockedFor).Max() is { } wait)
            return (null, wait);
        ConsoleUser? user;
        await _hashing.WaitAsync(cancel);
        try
        {
            // Those who waited while others failed are locked out with them.
            if (keys.Select(LockedFor).Max() is { } late)
                return (null, late);
            user = await Task.Run(() => accounts.Verify(name, password), cancel);
            if (user is null)
                Fail(keys);
        }
        finally
        {
            _hashing.Release();
        }

        if (user is null)
            return (null, null);
        var token = Convert.ToBase64String(RandomNumberGenerator.GetBytes(TokenBytes));
        lock (_lock)
        {
            foreach (var key in keys)
                _failures.Remove(key);
            if (_sessions.Count >= MostSessions)
                _sessions.Remove(_sessions.MinBy(s => s.Value.Used).Key);
            _sessions[HashOf(token)] = (user.Name, time.GetUtcNow());
        }

        return (token, null);
    }

    /// <summary>Null: nobody, or an account that is gone. The role is that of now.</summary>
    public ConsoleUser? Find(string? token)
    {
        if (token is null)
            return null;
        var hash = HashOf(token);
        string name;
        lock (_lock)
        {
            if (!_sessions.TryGetValue(hash, out var session))
                return null;
            var now = time.GetUtcNow();
            if (now - session.Used > Idle)
            {
                _sessions.Remove(hash);
                return null;
            }

            _sessions[hash] = session with { Used = now };
            name = session.Name;
        }

        return accounts.Find(name);
    }

    public void SignOut(string? token)
    {
        if (token is null)
            return;
        lock (_lock)
            _sessions.Remove(HashOf(token));
    }

    private static string HashOf(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private TimeSpan? LockedFor(string key)
    {
        lock (_lock)
        {
            return _failures.TryGetValue(key, out var failures) && failures.Count >= FailuresUntilLocked && failures.At + Locked - time.GetUtcNow() is var rest && rest > TimeSpan.Zero
                ? rest
                : null;
        }
    }

    private void Fail(string[] keys)
    {
        lock (_lock)
        {
            foreach (var key in keys)
            {
                if (_failures.Count >= MostFailures)
                    _failures.Remove(_failures.MinBy(f => f.Value.At).Key);
                _failures[key] = (_failures.GetValueOrDefault(key).Count + 1, time.GetUtcNow());
            }
        }
    }
}
