using System.Globalization;
using System.Runtime.InteropServices;

namespace DaprPlatform.Cli.Postgres;

/// <summary>The account that runs the server: PostgreSQL refuses root, so root lends it the machine's unprivileged account.</summary>
internal sealed partial record PostgresAccount(string Name, uint UserId, uint GroupId)
{
    private const string Unprivileged = "nobody";

    /// <summary>Null when the current account can run it as it is.</summary>
    public static PostgresAccount? ForThisProcess()
    {
        if (OperatingSystem.IsWindows() || EffectiveUserId() != 0)
            return null;
        foreach (var line in File.ReadLines("/etc/passwd"))
        {
            var fields = line.Split(':');
            if (fields.Length > 3 && fields[0] == Unprivileged)
                return new(Unprivileged, uint.Parse(fields[2], CultureInfo.InvariantCulture), uint.Parse(fields[3], CultureInfo.InvariantCulture));
        }

        throw new CommandException($"PostgreSQL does not run as root, and this machine has no account '{Unprivileged}' to run it; run the command as another user.");
    }

    public void Own(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        if (ChangeOwner(path, UserId, GroupId) != 0)
            throw new CommandException($"{path} cannot be given to the account {Name}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>Whether an account that owns nothing here can walk down to <paramref name="path"/>.</summary>
    public static bool CanReach(string path)
    {
        if (OperatingSystem.IsWindows())
            return true;
        for (var folder = new DirectoryInfo(path); folder is not null; folder = folder.Parent)
        {
            if (folder.Exists && !folder.UnixFileMode.HasFlag(UnixFileMode.OtherExecute))
                return false;
        }

        return true;
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUserId();

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, uint user, uint group);
}
