namespace DaprPlatform.Cli.Building;

/// <summary>Copies folders with their links and permissions.</summary>
internal static class FileTree
{
    /// <param name="source">Every file of it is copied; links stay links.</param>
    /// <param name="target">Made when missing; files of the same name are replaced.</param>
    /// <param name="wanted">Gets paths relative to <paramref name="source"/>, of folders as well; null is everything.</param>
    public static void Copy(string source, string target, Func<string, bool>? wanted = null)
    {
        Directory.CreateDirectory(target);
        Copy(new DirectoryInfo(source), "");

        void Copy(DirectoryInfo folder, string place)
        {
            foreach (var entry in folder.EnumerateFileSystemInfos())
            {
                var relative = Path.Combine(place, entry.Name);
                if (wanted?.Invoke(relative) == false)
                    continue;
                var copy = Path.Combine(target, relative);
                if (entry.LinkTarget is { } link)
                {
                    File.Delete(copy);
                    File.CreateSymbolicLink(copy, link);
                }
                else if (entry is DirectoryInfo inner)
                {
                    Directory.CreateDirectory(copy);
                    Copy(inner, relative);
                }
                else
                {
                    File.Copy(entry.FullName, copy, overwrite: true);
                }
            }
        }
    }

    public static void Delete(string folder)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }
}
