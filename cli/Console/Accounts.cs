using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>Who may sign in: <c>console-users.json</c> in the data folder, passwords as PBKDF2-SHA-512 with a salt each. Read again when the file changes.</summary>
internal sealed class Accounts(string path)
{
    public const string FileName = "console-users.json";
    public const int ShortestPassword = 10;
    private const int Iterations = 210_000;
    private const int SaltBytes = 16;
    private const int HashBytes = 32;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) }, WriteIndented = true };

    private readonly Lock _lock = new();
    private Dictionary<string, Account> _accounts = [];
    private DateTime _read;

    private sealed record Account(string Name, ConsoleRole Role, string Salt, string Hash, int Iterations);

    /// <summary>Somebody can sign in, and so everybody must.</summary>
    public bool Any => Current().Count > 0;

    public IReadOnlyList<ConsoleUser> All() => [.. Current().Values.OrderBy(a => a.Name, StringComparer.Ordinal).Select(a => new ConsoleUser(a.Name, a.Role))];

    public ConsoleUser? Find(string name) => Current().TryGetValue(name, out var account) ? new ConsoleUser(account.Name, account.Role) : null;

    /// <summary>Slow on purpose, and as slow for a name that is not there. Null: not this name with this password.</summary>
    public ConsoleUser? Verify(string name, string password)
    {
        var account = Current().GetValueOrDefault(name);
        var salt = account is null ? new byte[SaltBytes] : Convert.FromBase64String(account.Salt);
        var hash = Rfc2898DeriveBytes.Pbkdf2(password, salt, account?.Iterations ?? Iterations, HashAlgorithmName.SHA512, HashBytes);
        return account is not null && CryptographicOperations.FixedTimeEquals(hash, Convert.FromBase64String(account.Hash)) ? new ConsoleUser(account.Name, account.Role) : null;
    }

    /// <summary>Adds an account, or gives one another password and role.</summary>
    /// <exception cref="CommandException">The name or password is none.</exception>
    public void Set(string name, ConsoleRole role, string password)
    {
        const int longestName = 64;
        if (name.Length is 0 or > longestName || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-' or '_' or '@')))
            throw new CommandException($"A name has 1 to {longestName} letters, digits and . - _ @.");
        if (password.Length < ShortestPassword)
            throw new CommandException($"A password has at least {ShortestPassword} characters.");
        var salt = RandomNumberGenerator.GetBytes(SaltBytes);
        var hash = Rfc2898DeriveBytes.Pbkdf2(password, salt, Iterations, HashAlgorithmName.SHA512, HashBytes);
        Change(accounts => accounts[name] = new Account(name, role, Convert.ToBase64String(salt), Convert.ToBase64String(hash), Iterations));
    }

    /// <returns>False when there is none.</returns>
    public bool Remove(string name)
    {
        var removed = false;
        Change(accounts => removed = accounts.Remove(name));
        return removed;
    }

    private void Change(Action<Dictionary<string, Account>> change)
    {
        lock (_lock)
        {
            var accounts = new Dictionary<string, Account>(Load(), StringComparer.Ordinal);
            change(accounts);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            // Whole or not at all, and never readable by others.
            var next = path + ".next";
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            using (var file = new FileStream(next, options))
            {
                JsonSerializer.Serialize(file, accounts.Values.OrderBy(a => a.Name, StringComparer.Ordinal), Json);
                file.Flush(flushToDisk: true);
            }

            File.Move(next, path, overwrite: true);
            (_accounts, _read) = (accounts, File.GetLastWriteTimeUtc(path));
        }
    }

    private Dictionary<string, Account> Current()
    {
        lock (_lock)
        {
            // The time of a file that is not there is a time too.
            var written = File.GetLastWriteTimeUtc(path);
            if (written != _read)
                (_accounts, _read) = (Load(), written);
            return _accounts;
        }
    }

    private Dictionary<string, Account> Load()
    {
        if (!File.Exists(path))
            return [];
        try
        {
            using var file = File.OpenRead(path);
            return (JsonSerializer.Deserialize<List<Account>>(file, Json) ?? []).ToDictionary(a => a.Name, StringComparer.Ordinal);
        }
        catch (JsonException e)
        {
            throw new CommandException($"{path} cannot be read: {e.Message}", e);
        }
    }
}
