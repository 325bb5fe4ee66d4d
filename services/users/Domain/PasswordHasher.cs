using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;

namespace DaprPlatform.Users.Domain;

/// <summary>PBKDF2 with SHA-512. The iterations are in the hash, so raising them leaves old passwords valid.</summary>
internal sealed class PasswordHasher(AccountOptions options) : IDisposable
{
    private const string Algorithm = "pbkdf2-sha512";
    private const int SaltLength = 16;
    private const int HashLength = 32;

    // Hashing is all processor; more at once than there are processors would hold up everything else, and so would hashing on a thread that others wait for.
    private readonly SemaphoreSlim _slots = new(Math.Max(1, Environment.ProcessorCount - 1));
    private readonly Lazy<string> _decoy = new(() => Format(RandomNumberGenerator.GetBytes(SaltLength), new byte[HashLength], options.PasswordIterations));

    public async Task<string> HashAsync(string password, CancellationToken cancellationToken)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltLength);
        return Format(salt, await DeriveAsync(password, salt, options.PasswordIterations, cancellationToken), options.PasswordIterations);
    }

    /// <summary>Takes the same time whether there is a hash (an account) or not.</summary>
    public async Task<bool> VerifyAsync(string password, string? stored, CancellationToken cancellationToken)
    {
        var parts = (stored ?? _decoy.Value).Split('$');
        if (parts.Length != 4 || parts[0] != Algorithm || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var iterations))
            throw new FormatException("A stored password hash is of an unknown form.");
        var expected = Base64Url.DecodeFromChars(parts[3]);
        var actual = await DeriveAsync(password, Base64Url.DecodeFromChars(parts[2]), iterations, cancellationToken);
        return CryptographicOperations.FixedTimeEquals(expected, actual) && stored is not null;
    }

    public void Dispose() => _slots.Dispose();

    private async Task<byte[]> DeriveAsync(string password, byte[] salt, int iterations, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken);
        try
        {
            return await Task.Factory.StartNew(
                () => Rfc2898DeriveBytes.Pbkdf2(password, salt, iterations, HashAlgorithmName.SHA512, HashLength),
                cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        finally
        {
            _slots.Release();
        }
    }

    private static string Format(byte[] salt, byte[] hash, int iterations) =>
        string.Create(CultureInfo.InvariantCulture, $"{Algorithm}${iterations}${Base64Url.EncodeToString(salt)}${Base64Url.EncodeToString(hash)}");
}
