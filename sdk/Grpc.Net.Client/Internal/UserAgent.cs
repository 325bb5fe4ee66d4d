namespace Grpc.Net.Client.Internal;

internal static class UserAgent
{
    public static readonly string Value = $"grpc-dotnet/{typeof(UserAgent).Assembly.GetName().Version?.ToString(3)} (.NET {Environment.Version.ToString(3)})";
}
