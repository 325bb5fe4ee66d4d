namespace DaprPlatform.Cli.RunFiles;

/// <summary>One thing wrong with a run file. <paramref name="Field"/> is a path such as <c>apps[0].appPort</c>.</summary>
internal sealed record RunFileError(string File, int Line, string Field, string Problem)
{
    public override string ToString() => Field.Length > 0 ? $"{File}:{Line}: {Field}: {Problem}" : $"{File}:{Line}: {Problem}";
}

/// <summary>Everything that is wrong with a run file, a line each.</summary>
internal sealed class RunFileException(IReadOnlyList<RunFileError> errors) : Exception(string.Join('\n', errors))
{
    public IReadOnlyList<RunFileError> Errors { get; } = errors;
}
