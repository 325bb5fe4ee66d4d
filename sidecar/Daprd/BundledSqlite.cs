using System.Reflection;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace DaprPlatform.Daprd;

/// <summary>
/// SQLite's library inside the published executable, so that it is one file. It is loaded from memory: there may be no folder to unpack it to (no HOME, a file system that is
/// read-only). Builds that are not published have it beside them and this does nothing.
/// </summary>
internal static partial class BundledSqlite
{
    private const string Resource = "libe_sqlite3.so";
    private static readonly Lazy<nint> Library = new(Load);

    public static void Use()
    {
        if (OperatingSystem.IsLinux() && typeof(BundledSqlite).Assembly.GetManifestResourceInfo(Resource) is not null)
        {
            foreach (var caller in new[] { typeof(SQLitePCL.SQLite3Provider_e_sqlite3).Assembly, typeof(Sidecar.Hosting.DaprSidecar).Assembly })
                NativeLibrary.SetDllImportResolver(caller, static (name, _, _) => name == "e_sqlite3" ? Library.Value : 0);
        }
    }

    private static nint Load()
    {
        using var content = Assembly.GetExecutingAssembly().GetManifestResourceStream(Resource)!;
        var descriptor = CreateMemoryFile(Resource, 0);
        if (descriptor < 0)
            throw new DllNotFoundException($"no memory file for {Resource}: error {Marshal.GetLastPInvokeError()}");

        // The mapping outlives the descriptor.
        using var file = new FileStream(new SafeFileHandle(descriptor, ownsHandle: true), FileAccess.Write);
        content.CopyTo(file);
        file.Flush();
        return NativeLibrary.Load($"/proc/self/fd/{descriptor}");
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int CreateMemoryFile(string name, uint flags);
}
